"""All evidence into one decision: how much harm, how sure, which rule, which cause."""
