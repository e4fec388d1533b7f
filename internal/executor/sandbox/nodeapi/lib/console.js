(function () { "use strict"; return Object.assign(Object.create(console), { Console: undefined, default: console }); });
