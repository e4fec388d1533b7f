import dayjs from "dayjs";
import relativeTime from "dayjs/plugin/relativeTime";
import utc from "dayjs/plugin/utc";

dayjs.extend(utc);
dayjs.extend(relativeTime);

export default () => ({ month: dayjs.utc("2026-03-29T12:00:00Z").add(1, "month").format("YYYY-MM-DD HH:mm"), ago: dayjs.utc("2026-01-01").from(dayjs.utc("2026-01-03")) });
