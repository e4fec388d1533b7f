// Package picloud holds what concerns the whole tree: the test of which package may import which.
package picloud
