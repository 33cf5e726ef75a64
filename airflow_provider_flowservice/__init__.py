"""Apache Airflow provider for the Flow Service of Adobe Experience Platform."""

from __future__ import annotations

__version__ = "0.1.0"
