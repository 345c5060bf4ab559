"""As pyright sees mypy's native integers: plain ones, which they are when interpreted."""

i64 = int
i32 = int
u8 = int
