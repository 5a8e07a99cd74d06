"""The tables."""
def with_tables(page, stored):
    return page
