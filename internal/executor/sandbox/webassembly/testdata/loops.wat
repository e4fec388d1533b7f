;; What never ends, each in its own way.
(module
  (import "script" "back" (func $back))
  (memory (export "memory") 1)
  (func (export "loop") (loop $l br $l))
  (func $inner (loop $l br $l))
  (func (export "inner") call $inner)
  (func (export "busy") (loop $l call $back br $l))
  (func (export "grow") (result i32) i32.const 1 memory.grow)
  (func (export "greedy") (result i32) (local $n i32)
    (loop $l
      (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1))
        (then (local.set $n (i32.add (local.get $n) (i32.const 1))) (br $l))))
    local.get $n)
  (func $both (export "both") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 1)) (then i32.const 1)
      (else (i32.add (call $both (i32.sub (local.get 0) (i32.const 1))) (call $both (i32.sub (local.get 0) (i32.const 1))))))))
