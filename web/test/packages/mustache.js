import Mustache from "mustache";
export default () => Mustache.render("Hello {{name}}{{#items}}, {{.}}{{/items}} {{{raw}}} {{esc}}", { name: "ada", items: [1, 2], raw: "<b>", esc: "<i>" });
