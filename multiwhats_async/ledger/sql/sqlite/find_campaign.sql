SELECT id FROM campaign WHERE name = :name
