"""The parts of the simulated firm: one mechanism a module, put together by `crmlib.simulation.simulate`."""
