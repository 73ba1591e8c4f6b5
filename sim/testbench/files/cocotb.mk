# cocotb's own makefiles, for the target `cocotb` of the Makefile.
TOPLEVEL_LANG := verilog
COCOTB_TOPLEVEL := bitjoule_accelerator
COCOTB_TEST_MODULES := cocotb_driver
VERILOG_SOURCES := $(CURDIR)/bitjoule_accelerator.v
COCOTB_HDL_TIMEUNIT := 1ns
COCOTB_HDL_TIMEPRECISION := 1ps
ifeq ($(SIM),verilator)
EXTRA_ARGS += $(VERILATOR_FLAGS)
endif
include $(shell $(PYTHON_BIN) -m cocotb_tools.config --makefiles)/Makefile.sim
