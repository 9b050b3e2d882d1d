"""Score copies in processes of their own, far from the request path; the event log is the queue."""
