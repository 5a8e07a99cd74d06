"""Files that are small or hollow and become large in the hands of whoever reads them, by kind."""
