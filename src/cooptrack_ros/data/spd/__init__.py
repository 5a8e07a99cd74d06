"""The V2X-Seq-SPD data set format."""
