"""What a law is: the decorator, roles of parameters, units, symbolic structure, formulas."""
