"""What flows and router must agree on: records, assignment, stores, artifacts."""
