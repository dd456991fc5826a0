from fixtures import lab, pytest_configure, second_lab, steer  # noqa: F401
