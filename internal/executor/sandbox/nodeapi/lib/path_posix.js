(function (host, require) { "use strict"; return require("path"); });
