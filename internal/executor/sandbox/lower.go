package sandbox

import (
	"errors"

	"github.com/evanw/esbuild/pkg/api"
)

// Lower makes a classic script of one that the engine takes, by the rules by which scripts are bundled. It is
// for what is no script of an app and is to run like one, such as a test suite. Its error is the syntax
// error.
func Lower(file, source string) (string, error) {
	res := api.Transform(source, api.TransformOptions{
		Sourcefile: file,
		Platform:   api.PlatformNeutral,
		Target:     api.ES2022,
		Charset:    api.CharsetUTF8,
		Loader:     api.LoaderJS,
		LogLevel:   api.LogLevelSilent,
		Supported:  allLowered(),
	})
	if len(res.Errors) > 0 {
		return "", errors.New(res.Errors[0].Text)
	}

	return string(res.Code), nil
}
