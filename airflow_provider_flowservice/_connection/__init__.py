"""The Airflow connection: its form, and what the hook reads from it."""
