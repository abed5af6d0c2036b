"""What the programming systems do at a meter: read a module, program it, give it commands."""
