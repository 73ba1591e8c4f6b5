"""The commands. Heavy imports are inside the functions that need them, so that ``--help`` answers at once.

::

    experiments  run, check; explore: explore; results: report, compare; query: query
    entries/     list, show, schema, new
    hardware/    rtl, and the hardware of an explored design
    calibrate    calibrate; measured: fit, predict; interchange: import; doctor: doctor
    parser       the nearest known name for an unknown one; options: what several commands take alike
    terminal     tables that fit the window; outputs: JSON and CSV; progress: the line of a long run
    files        files that are written whole or not at all; status: exit statuses
"""
