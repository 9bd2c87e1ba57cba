package hyperlocal

// Everything below is committed, and compared with what the commands write.

//go:generate go run ./docs/internal/gendeps
//go:generate go run ./docs/internal/genevents
//go:generate go run ./docs/internal/genopenapi
//go:generate go run ./docs/internal/genschema
