"""The system accounting counted anew, in scalars and plain loops, from the equations of docs/accounting.md.

It imports nothing of ours. A request is the mappings that its YAML writes; `facts` are those of the data files.
"""

from math import ceil, log2
from types import SimpleNamespace as Of

from tests.energy_models.recount_matmul import FLOATS, Phase

NOTHING_OF_ITS_OWN = {"linears": {}, "transforms": [], "activation_group": 0}


def asked_experts(m, tokens, rule):
    """Return the experts that the tokens of a step ask: a uniform router's mean, or all they can ask."""
    most = max(1, min(m.experts, tokens * m.active_experts))
    mean = m.experts - m.experts * (1 - m.active_experts / m.experts) ** tokens
    return most if rule == "bound" else min(most, max(m.active_experts, mean))


def rescaled(counted, products, takes, scales):
    """Count products of sums with scales; a unit takes a sum of integers, and one of its scales."""
    in_units = products / max(scales, 1) * (takes not in FLOATS)
    counted.elements("output_rescale", "rescale", in_units)
    rest = (products - in_units) * counted.facts["functions"]["rescale"]["mul"]
    counted.spent["operations"] += rest
    counted.put("output_rescale", "activations", "mul", counted.vector, rest)


def recount(model, scheme, machine, batch, prompt, new, facts):
    """Return [count, price] by (component, operand, action, format) of each phase, and the bytes that must be held."""
    m, s, bits, width, phases = Of(**model), Of(**scheme), facts["bits"], facts["width"], {}
    d, q, kv, used = m.hidden, m.heads * m.head_dim, m.kv_heads * m.head_dim, m.ffn * m.active_experts
    s = Of(
        **{
            **NOTHING_OF_ITS_OWN,
            "keys": s.kv_cache,
            "values": s.kv_cache,
            "head": s.vector,
            "between": s.vector,
            **scheme,
        }
    )
    v, asks, integers = (
        width[s.between],
        "int8" if s.attention == "binary" else s.attention,
        s.activations not in FLOATS,
    )
    routed = scheme.get("router", asks)
    whole, branches, room = max(m.sub_norm, integers), used * (1 + m.ffn_gated), facts["room_bits"]
    linears = {"q_proj": (d, q, m.qkv_bias), "k_proj": (d, kv, m.qkv_bias), "v_proj": (d, kv, m.qkv_bias)}
    linears |= {"o_proj": (q, d, m.output_bias), "ffn_up": (d, m.ffn, m.ffn_bias), "ffn_down": (m.ffn, d, m.ffn_bias)}
    linears |= {"ffn_gate": linears["ffn_up"]} if m.ffn_gated else {}
    gate, peak = max(whole, m.ffn_gated), batch * m.vocabulary
    for phase, steps, tokens, context in (("prefill", 1, prompt, prompt), ("decode", new, 1, prompt + (new + 1) / 2)):
        if not steps:
            continue
        at, each, counted = (
            batch * tokens,
            batch * tokens * steps * m.layers,
            facts.get("phase", Phase)(machine, s.vector, facts, s.between),
        )
        live = at * (2 * d + max(q + 2 * kv, branches))
        peak, away = max(peak, live), live * v > room
        masked = machine["skips_masked_pairs"] and m.causal
        asked = (prompt + 1) / 2 if masked and phase == "prefill" else tokens
        for name, (k, n, bias) in linears.items():
            asking = at * m.active_experts if name.startswith("ffn") else at
            run = asked_experts(m, at, facts["experts"]) if name.startswith("ffn") else 1  # each for all its tokens
            times, out = steps * m.layers * run, away and name not in ("k_proj", "v_proj")
            own = s.linears.get(name, {})
            store, takes = own.get("weight_storage", s.weight_storage), own.get("activations", s.activations)
            formats, more = (s.weights, store, takes), width[s.vector] / s.activation_group if s.activation_group else 0
            sparse = {"taken": width[takes] + more, "active": own.get("active_inputs", 1.0)}
            counted.matmul(name, asking / run, k, n, times, *formats, away, out, bias=bias, **sparse)
            adds = all(verb == "add" for verb, _ in facts["array"](s.weights, takes)[2])
            groups = [g for g in (facts["group"][store] * (integers or adds), s.activation_group) if g]
            scales = ceil(k / min(groups)) * len(groups) if groups else 1
            scales *= facts["packing"](store).get("planes", 1)
            products = asking * n * times / run * scales * (s.weights not in FLOATS)
            rescaled(counted, products, takes, len(groups))
        if m.experts > 1:
            counted.matmul("ffn_router", at, d, m.experts, steps * m.layers, routed, s.embedding, routed, away, away)
        group, pairs = asked * m.heads / m.kv_heads, steps * m.layers * batch * m.kv_heads
        formats = (s.attention, s.keys, asks)
        fused = machine["attention"] == "fused"  # all queries and keys must be one tile
        scored = ("attention_scores", group, m.head_dim, context, pairs, *formats, away, False, "keys")
        counted.matmul(*scored, goes_on=fused)
        formats = (s.attention, s.values, asks)
        counted.matmul("attention_values", group, context, m.head_dim, pairs, *formats, False, away, "values")
        formats = (facts["holds"][s.lm_head], s.lm_head, s.head)
        counted.matmul("lm_head", batch, d, m.vocabulary, steps, *formats, batch * d * v > room, False)
        adds = all(verb == "add" for verb, _ in facts["array"](formats[0], s.head)[2])
        grouped = facts["group"][s.lm_head]
        if s.head not in FLOATS or (grouped and adds):
            scales = ceil(d / grouped) if grouped else 1
            rescaled(counted, batch * m.vocabulary * steps * scales, s.head, 1)
        if s.head not in FLOATS:
            counted.elements("activation_quantisation", "quantisation", batch * d * steps, s.head)
        scores, norms = pairs * group * context, 2 * d * (1 + m.post_norm) + (q + used) * m.sub_norm
        counted.elements("embedding", "embedding", at * steps * d)
        counted.elements("norm", m.norm, each * (norms + (q + kv) * m.qk_norm) + at * steps * d)
        queries = (each * q + scores) * (asks not in FLOATS)
        spills = 0  # bits of the inputs that are written, each in its linear's format
        vectors = {"q_proj": d, "o_proj": q, "ffn_up": d, "ffn_down": used}
        for name, values in vectors.items() if integers else ():
            takes = s.linears.get(name, {}).get("activations", s.activations)
            size = width[takes] + (width[s.vector] / s.activation_group if s.activation_group else 0)
            share = size / width[s.activations]  # long tables count them in the scheme's usual format
            counted.elements("activation_quantisation", "quantisation", each * values, s.activations)
            counted.move(
                "activation_quantisation", "activations", "buffer_write", s.activations, each * values * (share - 1)
            )
            counted.spent["buffer_write"] += each * values * (share - 1) * width[s.activations]
            spills += each * values * size
        counted.elements("activation_quantisation", "quantisation", queries, asks)
        counted.elements("rotary", "rotary", each * (q + kv) * (not m.learned_positions))
        counted.elements("softmax", "softmax", scores)
        counted.elements("activation_function", m.activation, each * used)
        counted.elements("activation_function", "gate", each * used * m.ffn_gated)
        counted.elements("residual", "residual", each * d * 2)
        outputs = {
            "q_proj": q,
            "k_proj": kv,
            "v_proj": kv,
            "o_proj": d,
            "ffn_up": used,
            "ffn_down": d * m.active_experts,
        }
        for change in s.transforms:
            changed = outputs if change.get("of") == "outputs" else vectors
            for name in changed if change["on"] == "all" else change["on"]:
                n = changed[name]
                block = change.get("block", n)
                if change["kind"] == "channels":
                    counted.elements("channel_scaling", "channel_factor", each * n)
                    continue
                counted.elements("rotation", "hadamard_pass", each * n)
                if change["kind"] == "hadamard":
                    counted.elements("rotation", "hadamard_add", each * n * log2(block))
                else:
                    a = max(x for x in range(1, block + 1) if block % x == 0 and x * x <= block)
                    counted.elements("rotation", "rotation_mac", each * n * (a + block // a))
        cached, carried = each * 2 * kv, counted.move
        for holds in (facts["holds"][store] for store in (s.keys, s.values)):
            if holds not in FLOATS:
                left = counted.in_units("kv_cache_write", "quantisation", cached / 2, holds, "keys_values")
                for verb in ("mul", "add"):
                    counted.put("kv_cache_write", "keys_values", verb, s.vector, cached / 2 * left[verb])
        carried("kv_cache_write", "keys_values", "buffer_read", s.between, cached)
        run, size = ("keys_values", kv), (bits[s.keys] + bits[s.values]) / 2
        edge = carried("kv_cache_write", "keys_values", "off_chip_write", s.keys, cached, run=run, size=size)
        run = ("embedding", d)
        edge += carried("embedding", "weights", "off_chip_read", s.embedding, at * steps * d, packed=True, run=run)
        back, values = each * (4 * d + q * whole + branches * gate), each * (2 * d + q * whole + used * gate)
        edge += carried("spilled_activations", "outputs", "off_chip_read", s.between, back * away)
        edge += carried("spilled_activations", "outputs", "off_chip_write", s.between, each * 2 * d * away)
        values = spills / width[s.activations] if integers else values
        edge += carried("spilled_activations", "activations", "off_chip_write", s.activations, values * away)
        moved = (max(counted.spent["buffer_read"], counted.spent["buffer_write"]) + cached * v) / facts["width_bits"]
        slowest = max(counted.spent["operations"] / machine["vector"]["lanes"], edge / facts["edge"], moved)
        counted.pass_time(ceil(counted.cycles + slowest))
        phases[phase] = counted.rows
    experts = {name: m.experts if name.startswith("ffn") else 1 for name in linears}
    stored = m.layers * sum(experts[name] * k * n for name, (k, n, _) in linears.items())
    router, biases = (
        d * m.experts * (m.experts > 1),
        sum(experts[at] * n * bias for at, (_, n, bias) in linears.items()),
    )
    gains = 2 * d * (1 + m.post_norm) + (q + m.ffn * m.experts) * m.sub_norm + 2 * m.head_dim * m.qk_norm
    other = (
        (m.layers * gains + d) * (1 + (m.norm == "layernorm")) + m.layers * (router + biases) + m.learned_positions * d
    )
    table, head = m.vocabulary * d, 0 if m.tied_embedding else m.vocabulary * d
    tables = table * bits[s.embedding] + head * bits[s.lm_head]
    cache = batch * (prompt + new) * m.layers * kv * (bits[s.keys] + bits[s.values])
    packed = m.layers * sum(
        experts[name] * k * n * bits[s.linears.get(name, {}).get("weight_storage", s.weight_storage)]
        for name, (k, n, _) in linears.items()
    )
    held = (packed + other * v, tables, cache, peak * v)
    return phases, [value / 8 for value in held], stored + other + table + head
