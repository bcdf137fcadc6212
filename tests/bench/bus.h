/* What the two ends on the bus agree on. */
#define BUS_NAME "org.stint.Bench"
#define BUS_PATH "/org/stint/Bench"
/* Where stint is on it. */
#define STINT_NAME "org.stint.Stint1"
#define STINT_PATH "/org/stint/Stint1"
