module lychgate.dev/conformance/cluster

go 1.24.0
