// Drives the Verilated BitLinear from matrices in memory, behind the C interface of `driver.cpp`, with other jobs.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "clocked.h"
#include "configuration.h"

extern "C" {

struct Job {
    uint32_t command[4];
    int64_t m, k, n;
    const uint8_t* activations;  // (M, beats of K, value_bytes)
    const uint8_t* gains;        // (beats of K, value_bytes), with a norm
    const uint8_t* weights;      // (tiles of N, tiles of K, tile_beats, weight_bytes)
    uint8_t* results;            // (beats of outputs, value_bytes), in the stream's order
    int64_t last_cycle;          // out: of its last outputs, counted from 0
};
}

namespace {

int64_t blocks_of(const Job& job) { return tiles_of(job.m, block); }
int64_t weight_beats(const Job& job) { return tiles_of(job.k, lanes) * tiles_of(job.n, columns) * tile_beats; }
int64_t value_beats(const Job& job) { return tiles_of(job.k, value_lanes); }
int64_t result_beats(const Job& job) { return job.m * tiles_of(job.n, columns) * tiles_of(columns, value_lanes); }

// Where a stream stands in a sequence of jobs: each walks at its own pace, so that no job waits for the one before.
struct Cursor {
    Job* job = nullptr;
    Job* end = nullptr;
    int64_t beat = 0;

    void begin(Job* jobs, Job* after) {
        job = jobs;
        end = after;
        beat = 0;
    }
    bool more() const { return job != end; }
    void next(int64_t beats) {
        if (++beat == beats) {
            beat = 0;
            ++job;
        }
    }
};

class Machine : public Clocked {
  public:
    void load(Job* jobs, int64_t count) {
        for (Cursor* at : {&command_, &weights_, &activations_, &gains_, &results_}) {
            at->begin(jobs, jobs + count);
        }
        cycle_ = 0;
        offer_command();
        offer_weights();
        offer_activations();
        offer_gains();
        settle();
    }

    // Returns 1 when every job is done, 0 when the cycles are used up, -1 when the hardware calls a command malformed, or
    // ends one elsewhere than at its last beat.
    int run(int64_t cycles) {
        const int64_t stop = cycle_ + cycles;
        while (cycle_ < stop) {
            const bool command = top_.s_axis_command_tvalid & top_.s_axis_command_tready;
            const bool weights = top_.s_axis_weights_tvalid & top_.s_axis_weights_tready;
            const bool activations = top_.s_axis_activations_tvalid & top_.s_axis_activations_tready;
#ifdef BITJOULE_NORMED
            const bool gains = top_.s_axis_gains_tvalid & top_.s_axis_gains_tready;
#endif
            if (top_.m_axis_results_tvalid && !take_results()) {
                return -1;
            }
            clock_high();
            ++cycle_;
            if (command) {
                command_.next(1);
                offer_command();
            }
            if (weights) {
                weights_.next(blocks_of(*weights_.job) * weight_beats(*weights_.job));
                offer_weights();
            }
            if (activations) {
                activations_.next(activations_.job->m * value_beats(*activations_.job));
                offer_activations();
            }
#ifdef BITJOULE_NORMED
            if (gains) {
                gains_.next(value_beats(*gains_.job));
                offer_gains();
            }
#endif
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
            put(top_.s_axis_command_tdata, reinterpret_cast<const uint8_t*>(command_.job->command), command_bytes);
        }
    }

    void offer_weights() {
        top_.s_axis_weights_tvalid = weights_.more();
        if (weights_.more()) {
            const int64_t beat = weights_.beat % weight_beats(*weights_.job);  // each block takes all weights
            put(top_.s_axis_weights_tdata, weights_.job->weights + beat * weight_bytes, weight_bytes);
        }
    }

    void offer_activations() {
        top_.s_axis_activations_tvalid = activations_.more();
        if (activations_.more()) {
            put(top_.s_axis_activations_tdata, activations_.job->activations + activations_.beat * value_bytes,
                value_bytes);
        }
    }

    void offer_gains() {
#ifdef BITJOULE_NORMED
        top_.s_axis_gains_tvalid = gains_.more();
        if (gains_.more()) {
            put(top_.s_axis_gains_tdata, gains_.job->gains + gains_.beat * value_bytes, value_bytes);
        }
#endif
    }

    bool take_results() {
        Cursor& at = results_;
        const int64_t beats = result_beats(*at.job);
        if (top_.m_axis_results_tuser || top_.m_axis_results_tlast != (at.beat == beats - 1)) {
            return false;
        }
        std::memcpy(at.job->results + at.beat * value_bytes, &top_.m_axis_results_tdata, value_bytes);
        at.job->last_cycle = cycle_;
        at.next(beats);
        return true;
    }

    Cursor command_, weights_, activations_, gains_, results_;
};

}  // namespace

#include "interface.h"
