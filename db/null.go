package db

// OrZero is the value of a column that may be null: the zero value for null.
func OrZero[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}
