"""From a posterior to a decision: budgets, requirements, allocation, marginal gains."""
