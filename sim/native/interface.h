// The C interface of a driver: included at the end of the file that defines its `Machine` and its `Job`.

#pragma once

extern "C" {

void* bitjoule_open() { return new Machine; }
void bitjoule_close(void* machine) { delete static_cast<Machine*>(machine); }
void bitjoule_load(void* machine, Job* jobs, int64_t count) { static_cast<Machine*>(machine)->load(jobs, count); }
int bitjoule_run(void* machine, int64_t cycles) { return static_cast<Machine*>(machine)->run(cycles); }
int64_t bitjoule_cycle(void* machine) { return static_cast<Machine*>(machine)->cycle(); }
#ifdef BITJOULE_TRACE
void bitjoule_trace(void* machine, const char* path, const char* before, int64_t from, int64_t to) {
    static_cast<Machine*>(machine)->trace(path, before, from, to);
}
void bitjoule_end_trace(void* machine) { static_cast<Machine*>(machine)->end_trace(); }
#endif
}
