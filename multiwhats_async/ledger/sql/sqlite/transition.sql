INSERT INTO transition (
    kind, id, attempts, expected, state, made, unknown_attempts, credits, elapsed, now, receipt,
    error
)
VALUES (
    :kind, :id, :attempts, :expected, :state, :made, :unknown_attempts, :credits, :elapsed, :now,
    :receipt, :error
)
