"""The Airflow connection: its form, and the settings that the hook reads from it."""
