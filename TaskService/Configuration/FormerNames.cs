namespace TaskService.Configuration;

/// <summary>
/// What the tutorial's configuration, Python's dictConfig
/// (https://docs.python.org/3/library/logging.config.html) and Kestrel name otherwise, with the name or form that it
/// has here.
/// </summary>
internal static class FormerNames
{
    private const string Formatters = "logging.formatters";
    private const string Handlers = "logging.handlers";
    private const string KestrelLimits = "kestrel.limits";
    private const string Console = "must be left out: a console writes to standard output";
    private const string File = "must be left out: lines of UTF-8 are appended to a file, which is opened at the start";
    private const string Level = "must be left out: handlers and loggers have a level";

    private const string Format =
        "has no patterns here: choose brief, logfmt or json, and with \"fields: [a, b]\" some of the fields";

    // Section, key, what its value contains (empty for any value), and what to do. The first one that fits counts.
    private static readonly (string Section, string Key, string Value, string Advice)[] Names =
    [
        ("telemetry", "outlets", "", "is \"exporters\" here"),
        ("telemetry", "gather-time-max-ms", "", "is \"batch-delay-max-ms\" here"),
        ("task-db", "sql", "", "is \"sqlite\" here, with the name of the file"),
        ("logging", "version", "", "must be left out: it is a key of Python's dictConfig, which has one value"),
        ("logging", "disable_existing_loggers", "", "must be left out: no logger is ever disabled"),
        ("logging", "incremental", "", "must be left out: the file is the whole configuration"),
        ("logging", "filters", "", Level),
        (Formatters, "format", "%(", Format),
        (Formatters, "()", "", $"must be left out; \"format\" {Format}"),
        (Formatters, "class", "", $"must be left out; \"format\" {Format}"),
        (Formatters, "datefmt", "", "must be left out: times are UTC, in the form that a format has"),
        (Formatters, "style", "", $"must be left out; \"format\" {Format}"),
        (Formatters, "validate", "", "must be left out: all is validated"),
        (Handlers, "class", "StreamHandler", "is \"type: console\" here"),
        (Handlers, "class", "FileHandler", "is \"type: file\" here"),
        (Handlers, "class", "", "is \"type\" here: console or file"),
        (Handlers, "()", "", "is \"type\" here: console or file"),
        (Handlers, "formatter", "", "is \"format\" here"),
        (Handlers, "stream", "", Console),
        (Handlers, "filename", "", "is \"path\" here"),
        (Handlers, "maxBytes", "", "is \"max-bytes\" here"),
        (Handlers, "backupCount", "", "is \"backup-count\" here"),
        (Handlers, "mode", "", File),
        (Handlers, "encoding", "", File),
        (Handlers, "errors", "", File),
        (Handlers, "delay", "", File),
        ("kestrel", "AddServerHeader", "", "must be left out: no response has the header Server"),
        ("kestrel", "Endpoints", "", "is \"service.urls\" here"),
        ("kestrel", "EndpointDefaults", "", "must be left out: \"service\" has the addresses and their certificate"),
        ("kestrel", "Certificates", "", "is \"service.tls\" here"),
        (KestrelLimits, "MaxRequestBodySize", "", "is \"http.body-bytes-max\" here"),
        (KestrelLimits, "MaxRequestLineSize", "", "is \"http.request-line-bytes-max\" here"),
        (KestrelLimits, "MaxRequestHeadersTotalSize", "", "is \"http.header-bytes-max\" here"),
        (KestrelLimits, "MaxRequestHeaderCount", "", "is \"http.headers-max\" here"),
        (KestrelLimits, "MaxConcurrentConnections", "", "is \"http.connections-max\" here"),
        (KestrelLimits, "RequestHeadersTimeout", "", "is \"http.header-time-max-ms\" here"),
        (KestrelLimits, "KeepAliveTimeout", "", "is \"http.idle-time-max-ms\" here"),
        (KestrelLimits, "MinRequestBodyDataRate", "", "is \"http.bytes-per-second-min\" here"),
        (KestrelLimits, "MinResponseDataRate", "", "is \"http.bytes-per-second-min\" here"),
        ("logging", "level", "NOTSET", "is \"trace\" here"),
        ("logging", "level", "FATAL", "is \"critical\" here"),
    ];

    /// <summary>The advice about a key that is not known, or about its value that is not.</summary>
    /// <param name="section">The path of the level that the key is on.</param>
    /// <param name="key">As written.</param>
    /// <param name="value">As written; null when it is not a single value.</param>
    /// <returns>The end of a message about the key; null when it has no former name.</returns>
    public static string? Advice(string section, string key, string? value) => Array.Find(
        Names,
        name => name.Key == key
            && $"{section}.".StartsWith($"{name.Section}.", StringComparison.OrdinalIgnoreCase)
            && (value ?? "").Contains(name.Value, StringComparison.OrdinalIgnoreCase)).Advice;
}
