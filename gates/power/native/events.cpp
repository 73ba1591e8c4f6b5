// Counts the toggles of a netlist in one clock cycle, each gate with its own delays; `gates/power/events.py` is the only
// user and says what is simulated. All arrays are its own.

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" {

struct Plan {
    int64_t nets, sources, gates;
    const int32_t* source_net;
    const uint32_t* source_delay;  // rise and fall of each source
    const int32_t* first_input;    // of each gate in `input_net`, and the end
    const int32_t* input_net;
    const int32_t* output_net;
    const int32_t* kind;          // of each gate: which output of which cell
    const int64_t* first_delay;   // of each gate in `delay`
    const uint32_t* delay;
    const int64_t* first_state;   // of each kind in `truth`
    const uint8_t* truth;
    const int64_t* first_choice;  // of each kind in `choice`: inputs x states
    const uint16_t* choice;
};
}

namespace {

constexpr uint64_t never = UINT64_MAX;
constexpr int most_inputs = 16;

// The times at which each net toggles in this cycle, one net after the other, each list ended by `never`.
struct Waveforms {
    std::vector<uint64_t> times;  // `used` of them hold something
    size_t used = 0;
    std::vector<size_t> first;    // of each net in `times`; 0 where it is quiet
    std::vector<uint32_t> count;
    std::vector<uint8_t> before;  // value of each net when the cycle begins

    explicit Waveforms(size_t nets) : first(nets), count(nets), before(nets) {}

    void clear() {
        used = 0;
        room(1)[0] = never;
        used = 1;
    }

    uint64_t* room(size_t more) {
        if (used + more > times.size()) times.resize(2 * (used + more));
        return times.data() + used;
    }
};

// A change that the inputs take back before it has come out is swallowed: a gate has one change under way at most.
template <int Inputs>
void evaluate(const Plan& plan, int64_t gate, int inputs, Waveforms& waveforms) {
    if (Inputs) inputs = Inputs;
    const int32_t* nets = plan.input_net + plan.first_input[gate];
    const int32_t output = plan.output_net[gate];
    size_t most = 0;
    for (int i = 0; i < inputs; ++i) most += waveforms.count[nets[i]];
    waveforms.count[output] = 0;
    waveforms.first[output] = 0;
    if (!most) return;

    uint64_t* const out = waveforms.room(most + 1);
    uint64_t* next_out = out;
    const uint64_t* next[Inputs ? Inputs : most_inputs];
    uint32_t state = 0;
    for (int i = 0; i < inputs; ++i) {
        next[i] = waveforms.times.data() + waveforms.first[nets[i]];
        state = state << 1 | waveforms.before[nets[i]];
    }
    const uint8_t* truth = plan.truth + plan.first_state[plan.kind[gate]];
    const uint16_t* choice = plan.choice + plan.first_choice[plan.kind[gate]];
    const uint32_t* delay = plan.delay + plan.first_delay[gate];
    uint8_t value = truth[state];
    uint64_t under_way = never;
    for (;;) {
        uint64_t now = *next[0];
        for (int i = 1; i < inputs; ++i) now = *next[i] < now ? *next[i] : now;
        if (now == never) break;
        uint32_t changed = 0;
        for (int i = 0; i < inputs; ++i) {
            const uint32_t does = *next[i] == now;
            next[i] += does;
            changed = changed << 1 | does;
        }
        state ^= changed;
        if (under_way <= now) {
            *next_out++ = under_way;
            under_way = never;
        }
        if (truth[state] == value) continue;
        value ^= 1;
        if (under_way != never) {
            under_way = never;
            continue;
        }
        uint32_t shortest = UINT32_MAX;
        for (int i = 0; i < inputs; ++i) {
            if (changed >> (inputs - 1 - i) & 1) {
                const uint32_t its = delay[choice[(static_cast<size_t>(i) << inputs) + state]];
                shortest = its < shortest ? its : shortest;
            }
        }
        under_way = now + shortest;
    }
    if (under_way != never) *next_out++ = under_way;
    const size_t toggles = static_cast<size_t>(next_out - out);
    if (toggles) {
        *next_out = never;
        waveforms.first[output] = waveforms.used;
        waveforms.count[output] = static_cast<uint32_t>(toggles);
        waveforms.used += toggles + 1;
    }
}

void run_gates(const Plan& plan, Waveforms& waveforms) {
    for (int64_t gate = 0; gate < plan.gates; ++gate) {
        const int inputs = plan.first_input[gate + 1] - plan.first_input[gate];
        switch (inputs) {
            case 1: evaluate<1>(plan, gate, inputs, waveforms); break;
            case 2: evaluate<2>(plan, gate, inputs, waveforms); break;
            case 3: evaluate<3>(plan, gate, inputs, waveforms); break;
            case 4: evaluate<4>(plan, gate, inputs, waveforms); break;
            default: evaluate<0>(plan, gate, inputs, waveforms);
        }
    }
}

}  // namespace

extern "C" {

// `before` and `after` are nets x words, a bit a trial. Of `after` the sources are given, all other nets are set;
// `toggles` of each net are added to.
void count_toggles(const Plan* plan, const uint64_t* before, uint64_t* after, uint64_t* toggles, int64_t words) {
    Waveforms waveforms(static_cast<size_t>(plan->nets));
    for (int64_t word = 0; word < words; ++word) {
        for (int bit = 0; bit < 64; ++bit) {
            waveforms.clear();
            for (int64_t net = 0; net < plan->nets; ++net)
                waveforms.before[net] = before[net * words + word] >> bit & 1;
            for (int64_t source = 0; source < plan->sources; ++source) {
                const int32_t net = plan->source_net[source];
                const uint64_t value = after[net * words + word] >> bit & 1;
                const bool toggled = value != waveforms.before[net];
                waveforms.count[net] = toggled;
                waveforms.first[net] = toggled ? waveforms.used : 0;
                if (!toggled) continue;
                uint64_t* out = waveforms.room(2);
                out[0] = plan->source_delay[2 * source + (value ? 0 : 1)];
                out[1] = never;
                waveforms.used += 2;
                ++toggles[net];
            }
            run_gates(*plan, waveforms);
            for (int64_t gate = 0; gate < plan->gates; ++gate) {
                const int32_t net = plan->output_net[gate];
                const uint64_t count = waveforms.count[net];
                toggles[net] += count;
                const uint64_t value = (waveforms.before[net] ^ count) & 1;
                uint64_t& to = after[net * words + word];
                to = (to & ~(uint64_t{1} << bit)) | value << bit;
            }
        }
    }
}
}
