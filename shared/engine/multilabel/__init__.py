"""What every task with several labels an example has in common."""
