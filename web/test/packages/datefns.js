import { addMonths, format, differenceInDays, parseISO, formatDistance } from "date-fns";
export default () => ({ a: format(addMonths(parseISO("2026-01-31T00:00:00Z"), 1), "yyyy-MM-dd"), b: differenceInDays(parseISO("2026-03-01"), parseISO("2026-02-01")), c: formatDistance(0, 86400000 * 3) });
