"""When: Prefect flows over DVC's graph of stages."""
