//! A monitor, told to the outside.
