/* What the two ends on the bus agree on. */
#define BUS_NAME "org.stint.Bench"
#define BUS_PATH "/org/stint/Bench"
