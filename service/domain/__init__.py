"""What is known now: pure and synchronous, with every clock given from outside."""
