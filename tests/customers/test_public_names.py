import crmlib.customers as customers


def test_every_public_name_is_what_its_module_defines():
    # Some modules are named like their one function: the function has to win, whatever was imported first.
    for name in customers.__all__:
        assert getattr(customers, name).__name__ == name
        assert getattr(customers, name).__module__.startswith("crmlib.customers.")
