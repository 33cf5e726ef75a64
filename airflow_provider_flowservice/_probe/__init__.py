"""What a tenant does where the package assumes something: questions to the service, and findings."""
