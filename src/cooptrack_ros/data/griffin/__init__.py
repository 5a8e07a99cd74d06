"""The Griffin data set format: a car and a drone that follows it."""
