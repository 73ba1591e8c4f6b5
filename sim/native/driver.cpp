// Drives the Verilated accelerator from matrices in memory, behind a C interface; `sim/native_machine.py` is its only
// user, and Python checks sizes.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "clocked.h"
#include "configuration.h"

namespace {

using Sum = std::conditional_t<result_bytes == 1, int8_t, std::conditional_t<result_bytes == 2, int16_t, int32_t>>;

}  // namespace

extern "C" {

struct Job {
    uint64_t command;
    int64_t m, k, n;
    const uint8_t* activations;  // (M, tiles of K, activation_bytes)
    const uint8_t* weights;      // (tiles of N, tiles of K, tile_beats, weight_bytes)
    int32_t* results;            // (M, result_stride), the first N of each row
    int64_t result_stride;
    int64_t last_cycle;  // out: of its last results, counted from 0
};
}

namespace {

// Where a stream stands in a sequence of jobs: each walks at its own pace, so that no job waits for the one before.
struct Cursor {
    Job* job = nullptr;
    Job* end = nullptr;
    int64_t first = 0, tile_n = 0, tile_k = 0, token = 0;

    void begin(Job* jobs, Job* after) {
        *this = Cursor{};
        job = jobs;
        end = after;
    }
    bool more() const { return job != end; }
    int64_t tokens() const { return job->m - first < block ? job->m - first : block; }
};

class Machine : public Clocked {
  public:
    void load(Job* jobs, int64_t count) {
        Job* const after = jobs + count;
        command_.begin(jobs, after);
        weights_.begin(jobs, after);
        activations_.begin(jobs, after);
        results_.begin(jobs, after);
        beat_ = 0;
        cycle_ = 0;
        offer_command();
        offer_weights();
        offer_activations();
        settle();
    }

    // Returns 1 when every job is done, 0 when the cycles are used up, -1 when the hardware calls a command malformed.
    int run(int64_t cycles) {
        const int64_t stop = cycle_ + cycles;
        while (cycle_ < stop) {
            const bool command = top_.s_axis_command_tvalid & top_.s_axis_command_tready;
            const bool weights = top_.s_axis_weights_tvalid & top_.s_axis_weights_tready;
            const bool activations = top_.s_axis_activations_tvalid & top_.s_axis_activations_tready;
            if (top_.m_axis_results_tvalid) {
                if (top_.m_axis_results_tuser) {
                    return -1;
                }
                take_results();
            }
            clock_high();
            ++cycle_;
            if (command) {
                ++command_.job;
                offer_command();
            }
            if (weights) {
                next_weights();
                offer_weights();
            }
            if (activations) {
                next_activations();
                offer_activations();
            }
            clock_low();
            if (!results_.more()) {
                return 1;
            }
        }
        return 0;
    }

  private:
    void offer_command() {
        top_.s_axis_command_tvalid = command_.more();
        if (command_.more()) {
            put(top_.s_axis_command_tdata, reinterpret_cast<const uint8_t*>(&command_.job->command), 8);
        }
    }

    void offer_weights() {
        top_.s_axis_weights_tvalid = weights_.more();
        if (weights_.more()) {
            put(top_.s_axis_weights_tdata, weights_.job->weights + beat_ * weight_bytes, weight_bytes);
        }
    }

    void next_weights() {
        const Job& job = *weights_.job;
        if (++beat_ == tiles_of(job.k, lanes) * tiles_of(job.n, columns) * tile_beats) {
            beat_ = 0;
            weights_.first += block;
            if (weights_.first >= job.m) {
                weights_.first = 0;
                ++weights_.job;
            }
        }
    }

    void offer_activations() {
        Cursor& at = activations_;
        top_.s_axis_activations_tvalid = at.more();
        if (at.more()) {
            const int64_t beat = (at.first + at.token) * tiles_of(at.job->k, lanes) + at.tile_k;
            put(top_.s_axis_activations_tdata, at.job->activations + beat * activation_bytes, activation_bytes);
        }
    }

    void next_activations() {
        Cursor& at = activations_;
        if (++at.token < at.tokens()) {
            return;
        }
        at.token = 0;
        if (++at.tile_k < tiles_of(at.job->k, lanes)) {
            return;
        }
        at.tile_k = 0;
        next_tile(at);
    }

    void take_results() {
        Cursor& at = results_;
        Sum sums[columns];
        std::memcpy(sums, &top_.m_axis_results_tdata, sizeof(sums));
        const int64_t first = at.tile_n * columns;
        const int64_t count = at.job->n - first < columns ? at.job->n - first : columns;
        int32_t* const row = at.job->results + (at.first + at.token) * at.job->result_stride + first;
        for (int64_t i = 0; i < count; ++i) {
            row[i] = sums[i];
        }
        at.job->last_cycle = cycle_;
        if (++at.token == at.tokens()) {
            at.token = 0;
            next_tile(at);
        }
    }

    void next_tile(Cursor& at) {
        if (++at.tile_n < tiles_of(at.job->n, columns)) {
            return;
        }
        at.tile_n = 0;
        at.first += block;
        if (at.first >= at.job->m) {
            at.first = 0;
            ++at.job;
        }
    }

    Cursor command_, weights_, activations_, results_;
    int64_t beat_ = 0;
};

}  // namespace

#include "interface.h"
