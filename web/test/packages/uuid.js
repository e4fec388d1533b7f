import { v4, v5, v7, validate, NIL } from "uuid";
export default () => ({ v4: validate(v4()), v5: v5("hello", v5.DNS), v7: validate(v7()), nil: NIL });
