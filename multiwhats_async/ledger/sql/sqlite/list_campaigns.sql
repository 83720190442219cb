SELECT name FROM campaign ORDER BY id
