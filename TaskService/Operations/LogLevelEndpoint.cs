using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using TaskService.Configuration;
using TaskService.Http;
using TaskService.Telemetry.Logging;
using TaskService.Telemetry.Operations;

namespace TaskService.Operations;

/// <summary><c>logging/level</c>: shows the levels of loggers, and changes them while running.</summary>
internal static partial class LogLevelEndpoint
{
    private const int NameCharactersMax = 200;
    private static readonly TimeSpan DurationMax = TimeSpan.FromHours(24);

    private static readonly string NameRule =
        $"name must be that of a logger, such as Microsoft.AspNetCore, or {LogLevels.Root}: words of letters, digits, "
        + $"_, - and + with dots between them, {NameCharactersMax} characters at most";

    private static readonly string LevelRule =
        $"level must be one of {string.Join(", ", LogLevels.Allowed)}, in any case";

    private const string DurationRule = "for must be a time such as 30s, 15m or 2h, of 24 hours at most";

    public static void MapLogLevels(this IEndpointRouteBuilder operations)
    {
        // Tools that were made for c2cwsgiutils change levels with GET.
        operations.MapGet("/logging/level", (HttpContext http, LogLevelOverrides overrides) => Get(http, overrides));
        operations.MapPut("/logging/level", (HttpContext http, LogLevelOverrides overrides) => Put(http, overrides));
    }

    /// <summary>In UTC, whole seconds.</summary>
    public static string TextOf(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static ApiResult Get(HttpContext http, LogLevelOverrides overrides)
    {
        if (http.Request.Query.ContainsKey("level"))
        {
            return Put(http, overrides);
        }
        // Pages ask for it every few seconds.
        Operation.Current!.Level = LogLevel.Debug;
        if (Parameters.Read(http.Request.Query, out var problem) is not { } parameters)
        {
            return problem!;
        }
        if (parameters.Duration is not null)
        {
            return Problem.InvalidQuery($"for is the time of a level: {LevelRule}");
        }
        return parameters.Name is { } name ? Show(http, name, overrides) : ShowAll(overrides);
    }

    private static ApiResult Put(HttpContext http, LogLevelOverrides overrides)
    {
        if (Parameters.Read(http.Request.Query, out var problem) is not { } parameters)
        {
            return problem!;
        }
        if (parameters.Name is not { } name)
        {
            return Problem.InvalidQuery(NameRule);
        }
        if (!parameters.HasLevel)
        {
            return Problem.InvalidQuery(LevelRule);
        }
        if (parameters is { Level: null, Duration: not null })
        {
            return Problem.InvalidQuery($"for must not be there with {LogLevels.NotSet}, which has no time");
        }
        var address = http.Connection.RemoteIpAddress;
        var ip = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address ?? IPAddress.None;
        if (!overrides.TrySet(name, parameters.Level, parameters.Duration, $"{ip}"))
        {
            RequestLimits.CountHit("log-level-overrides-max");
            return new Problem(
                StatusCodes.Status409Conflict,
                "Too many overrides",
                $"There may be {LogLevelOverrides.OverridesMax}; level={LogLevels.NotSet} takes one away.");
        }
        return Show(http, name, overrides);
    }

    private static ApiResult Show(HttpContext http, string name, LogLevelOverrides overrides)
    {
        var services = http.RequestServices;
        var levels = services.GetRequiredService<IOptionsMonitor<LoggerFilterOptions>>().CurrentValue;
        var settings = services.GetRequiredService<LogSystem>().Settings;
        var body = new JsonObject
        {
            ["status"] = StatusCodes.Status200OK,
            ["name"] = name,
            ["level"] = LogLevels.NameOf(LogLevels.Own(levels, name)),
            ["effective_level"] = LogLevels.NameOf(LogLevels.Effective(levels, name)),
        };
        var own = overrides.All.FirstOrDefault(one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (own.Until is { } until)
        {
            body["until"] = TextOf(until);
        }
        // A handler may hold back what the logger lets pass.
        body["handlers"] = new JsonObject(settings.HandlersOf(name).Select(handler =>
            KeyValuePair.Create(handler, (JsonNode?)LogLevels.NameOf(settings.Handlers[handler].Level))));
        return Json(body);
    }

    private static ApiResult ShowAll(LogLevelOverrides overrides)
    {
        var all = overrides.All;
        return Json(new JsonObject
        {
            ["status"] = StatusCodes.Status200OK,
            ["overrides"] = new JsonObject(
                all.Select(one => KeyValuePair.Create(one.Name, (JsonNode?)LogLevels.NameOf(one.Level)))),
            ["until"] = new JsonObject(
                all.Where(one => one.Until is not null)
                    .Select(one => KeyValuePair.Create(one.Name, (JsonNode?)TextOf(one.Until!.Value)))),
        });
    }

    private static ApiResult Json(JsonObject body) => new()
    {
        Status = StatusCodes.Status200OK,
        Body = Encoding.UTF8.GetBytes(body.ToJsonString()),
    };

    [GeneratedRegex(@"\A[\p{L}\p{Nd}_+`-]+(\.[\p{L}\p{Nd}_+`-]+)*\z")]
    private static partial Regex NameSyntax();

    [GeneratedRegex(@"\A(?<count>[1-9][0-9]{0,4})(?<unit>[smh])\z")]
    private static partial Regex DurationSyntax();

    /// <param name="Name">Null when there is none.</param>
    /// <param name="HasLevel">Whether there is one.</param>
    /// <param name="Level">Null for NOTSET, and when there is none.</param>
    /// <param name="Duration">Null when there is none.</param>
    private sealed record Parameters(string? Name, bool HasLevel, LogLevel? Level, TimeSpan? Duration)
    {
        public static Parameters? Read(IQueryCollection query, out Problem? problem)
        {
            string[] known = ["name", "level", "for"];
            var (name, level, length) = (query[known[0]], query[known[1]], query[known[2]]);
            LogLevel? parsed = null;
            TimeSpan? duration = null;
            var rule = known.FirstOrDefault(key => query[key].Count > 1) is { } repeated ? $"{repeated} is repeated"
                : name.Count == 1 && !IsName(name[0]!) ? NameRule
                : level.Count == 1 && !LogLevels.TryParse(level[0]!, out parsed) ? LevelRule
                : length.Count == 1 && !TryParse(length[0]!, out duration) ? DurationRule
                : null;
            problem = rule is null ? null : Problem.InvalidQuery(rule);
            return rule is null ? new Parameters(name, level.Count == 1, parsed, duration) : null;
        }

        private static bool IsName(string text) => text.Length <= NameCharactersMax && NameSyntax().IsMatch(text);

        private static bool TryParse(string text, out TimeSpan? duration)
        {
            var match = DurationSyntax().Match(text);
            duration = null;
            if (!match.Success)
            {
                return false;
            }
            var count = int.Parse(match.Groups["count"].ValueSpan, CultureInfo.InvariantCulture);
            duration = match.Groups["unit"].Value switch
            {
                "s" => TimeSpan.FromSeconds(count),
                "m" => TimeSpan.FromMinutes(count),
                _ => TimeSpan.FromHours(count),
            };
            return duration <= DurationMax;
        }
    }
}
