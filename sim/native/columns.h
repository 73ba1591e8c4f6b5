// All columns of the array at once; the class's functions are made with each build (`sim/accelerator/column_code.py`).

#pragma once

#include <memory>

class Vmodel___024root;

class Columns {
  public:
    Columns();
    ~Columns();
    // Takes a rising edge, with the inputs that were settled last.
    void clock();
    // Takes inputs from the stand-in for the columns, and puts their outputs there.
    void settle(Vmodel___024root& root);

  private:
    struct State;
    std::unique_ptr<State> state_;
};
