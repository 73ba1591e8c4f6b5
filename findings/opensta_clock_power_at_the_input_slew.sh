#!/usr/bin/env bash
# OpenSTA 2.0.17 (Debian opensta 0~20191111gitc018cb2+dfsg-1): report_power reads the power table of a clock pin at the slew of
# set_input_transition, not at that of set_clock_transition.
#
# Expected: the clock pin of a flip-flop on an ideal clock has the slew of set_clock_transition, in power as in timing.
# Seen: a clock slew of 1.01 instead of 0.01 ns changes nothing; an input slew of 1.01 ns for [all_inputs], which holds the clock's
#       port, multiplies the power of the flip-flop by 11, as its table says for that slew.
# Consequence: give the clock's slew with set_input_transition too, on the clock's port alone.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
apt-get download -q opensta=0~20191111gitc018cb2+dfsg-1 >/dev/null 2>&1 && dpkg -x opensta_*.deb root
cat > t.lib <<'LIB'
library (t) {
  delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA"; pulling_resistance_unit : "1kohm";
  capacitive_load_unit (1, ff); leakage_power_unit : "1nW"; nom_voltage : 1; nom_temperature : 25; nom_process : 1;
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50; output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 30; slew_upper_threshold_pct_rise : 70; slew_lower_threshold_pct_fall : 30; slew_upper_threshold_pct_fall : 70;
  operating_conditions (typical) { process : 1; voltage : 1; temperature : 25; } default_operating_conditions : typical;
  power_lut_template (p) { variable_1 : input_transition_time; index_1 ("0.01, 1.01"); }
  lu_table_template (d) { variable_1 : input_net_transition; index_1 ("0.01, 1.01"); }
  cell (DFF) {
    area : 1;
    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; clock : true; capacitance : 1;
      internal_power () { rise_power (p) { values ("10, 110"); } fall_power (p) { values ("10, 110"); } } }
    pin (D) { direction : input; capacitance : 1; }
    pin (Q) { direction : output; function : "IQ";
      timing () { related_pin : "CK"; timing_type : rising_edge; timing_sense : non_unate;
        cell_rise (d) { values ("0.1, 0.2"); } cell_fall (d) { values ("0.1, 0.2"); }
        rise_transition (d) { values ("0.1, 0.2"); } fall_transition (d) { values ("0.1, 0.2"); } } }
  }
}
LIB
cat > t.v <<'V'
module t (input clk, input d, output q);
  DFF r (.CK(clk), .D(d), .Q(q));
endmodule
V
power() {  # clock slew, input slew: watts of the flip-flop
  printf '%s\n' "read_liberty t.lib" "read_verilog t.v" "link_design t" "create_clock -name clk -period 10 [get_ports clk]" \
    "set_clock_transition $1 [get_clocks clk]" "set_input_transition $2 [all_inputs]" "report_power -digits 6" "exit" > t.tcl
  root/usr/bin/sta -no_splash -exit t.tcl | awk '$1 == "Sequential" { print $2 }'
}
root/usr/bin/sta -version
base=$(power 0.01 0.01); clock=$(power 1.01 0.01); input=$(power 0.01 1.01)
echo "slews 0.01 ns: $base W; clock's 1.01: $clock W; inputs' 1.01: $input W"
test "$base" = "$clock"
awk -v a="$base" -v b="$input" 'BEGIN { exit !(b / a > 10.9 && b / a < 11.1) }'
