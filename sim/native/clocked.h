// One instance of the Verilated hardware with its clock, reset and records; what drives its streams derives from it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "Vmodel.h"
#include "verilated.h"

#ifdef BITJOULE_SIDE
#include "columns.h"
#endif

#if defined(BITJOULE_SAIF)
#include "verilated_saif_c.h"
using Trace = VerilatedSaifC;
#elif defined(BITJOULE_VCD)
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#endif

// A port narrower than its C++ type keeps zeros above: only its whole bytes are written.
template <class Port>
void put(Port& port, const uint8_t* from, size_t bytes) {
    std::memcpy(static_cast<void*>(&port), from, bytes);
}

class Clocked {
  public:
    Clocked() : top_(&context_) {
#ifdef BITJOULE_TRACE
        context_.timeunit(-9);
        context_.timeprecision(-9);
        context_.traceEverOn(true);
        top_.trace(&trace_, 99);
#ifdef BITJOULE_SAIF
        top_.trace(&first_, 99);
#endif
#endif
        top_.rst = 1;
        top_.m_axis_results_tready = 1;
        for (int i = 0; i < 2; ++i) {
            clock();
        }
        top_.rst = 0;
        settle();
    }

#ifdef BITJOULE_TRACE
    ~Clocked() { trace_.close(); }
#endif

    int64_t cycle() const { return cycle_; }

#ifdef BITJOULE_TRACE
    // Records the cycles from..to-1 of the next jobs. A SAIF file counts the ones of its first values as toggles: `before`
    // then is where these are recorded alone, to be taken off.
    void trace(const char* path, const char* before, int64_t from, int64_t to) {
        path_ = path;
        before_ = before;
        trace_from_ = from;
        trace_to_ = to;
    }
    void end_trace() {
        trace_.close();
        trace_to_ = 0;
    }
#endif

  protected:
    void settle() {
        top_.eval();
        record(cycle_, 1);
    }

    void clock_high() {
        rise();
        record(cycle_ + 1, 0);
    }

    void clock_low() {
        top_.clk = 0;
        settle();
    }

  private:
    void clock() {
        rise();
        top_.clk = 0;
        top_.eval();
    }

#ifdef BITJOULE_SIDE
    // What a column takes changes with the clock alone, and what it gives is stored at the next rising edge: once a cycle
    // is enough.
    void rise() {
        columns_.clock();
        top_.clk = 1;
        top_.eval();
        columns_.settle(*top_.rootp);
    }
    Columns columns_;
#else
    void rise() {
        top_.clk = 1;
        top_.eval();
    }
#endif

#ifdef BITJOULE_TRACE
    void record(int64_t cycle, int half) {
#ifdef BITJOULE_SAIF
        if (half == 0) {
            return;  // what counts is how each cycle ends
        }
#endif
        if (cycle < trace_from_ || cycle >= trace_to_) {
            return;
        }
        const auto time = static_cast<uint64_t>(2 * cycle + half);
        if (!trace_.isOpen()) {
#ifdef BITJOULE_SAIF
            first_.open(before_.c_str());
            first_.dump(time);
            first_.close();
#endif
            trace_.open(path_.c_str());
        }
        trace_.dump(time);
    }
    std::string path_, before_;
    int64_t trace_from_ = 0, trace_to_ = 0;
#else
    void record(int64_t, int) {}
#endif

    VerilatedContext context_;
#ifdef BITJOULE_TRACE
    Trace trace_;
#ifdef BITJOULE_SAIF
    Trace first_;  // a trace that is opened again does not record unchanged nets
#endif
#endif

  protected:
    Vmodel top_;
    int64_t cycle_ = 0;
};
