const DAYS_PER_ERA = 146_097;

/**
 * Year, month (1–12) and day of the proleptic Gregorian calendar, for days since 1970-01-01 over the whole range of an int
 * (JavaScript's Date ends at the year 275760). After H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
export function civilDate(days: number): { year: number; month: number; day: number } {
  // Years start in March here, so that the leap day comes last.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const ofEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}
