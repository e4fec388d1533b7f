;; A start function that leaves something in what it imports, and then fails.
(module
  (import "m" "table" (table 1 funcref))
  (import "m" "slot" (global $slot (mut funcref)))
  (import "m" "fail" (func $fail))
  (func $kept (result i32) i32.const 42)
  (elem declare func $kept)
  (func $start (global.set $slot (ref.func $kept)) (table.set (i32.const 0) (ref.func $kept)) call $fail)
  (start $start))
