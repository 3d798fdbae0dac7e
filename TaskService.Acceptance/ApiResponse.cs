using System.Text;
using System.Text.Json;

namespace TaskService.Acceptance;

/// <summary>A response with its request, so that what is wrong with it can be shown.</summary>
/// <param name="Request">That it answers.</param>
/// <param name="Status">Of HTTP.</param>
/// <param name="Headers">By name, in any case; several values are joined with a comma.</param>
/// <param name="Bytes">The body, with its content coding.</param>
internal sealed record ApiResponse(
    ApiRequest Request, int Status, IReadOnlyDictionary<string, string> Headers, byte[] Bytes)
{
    public string Body => Encoding.UTF8.GetString(Bytes);

    /// <exception cref="AcceptanceException">The body is not JSON.</exception>
    public JsonElement Json
    {
        get
        {
            try
            {
                return JsonElement.Parse(Bytes);
            }
            catch (JsonException error)
            {
                throw Failure($"the body is not JSON: {error.Message}");
            }
        }
    }

    public string? Header(string name) => Headers.GetValueOrDefault(name);

    /// <exception cref="AcceptanceException">It does not hold.</exception>
    public ApiResponse Require(bool holds, string what) => holds ? this : throw Failure(what);

    /// <summary>A header must have this value; null for none.</summary>
    /// <exception cref="AcceptanceException">It has another one.</exception>
    public ApiResponse RequireHeader(string name, string? value) => Require(
        Header(name) == value,
        $"expected {(value is null ? $"no {name}" : $"{name}: {value}")}, was {Header(name) ?? "none"}");

    /// <summary>A header that is a list must have this member.</summary>
    /// <exception cref="AcceptanceException">It has not.</exception>
    public ApiResponse RequireMember(string name, string member) => Require(
        Header(name)?.Split(',', StringSplitOptions.TrimEntries).Contains(member) == true,
        $"expected {name} with {member}, was {Header(name) ?? "none"}");

    /// <summary>The body must be this JSON, in any order of members.</summary>
    /// <exception cref="AcceptanceException">It is another one.</exception>
    public ApiResponse RequireJson(string expected) =>
        Require(JsonElement.DeepEquals(JsonElement.Parse(expected), Json), $"expected the body {expected}");

    /// <summary>The request and the response for people.</summary>
    public override string ToString()
    {
        var lines = Headers.Select(header => $"{header.Key}: {header.Value}").Prepend($"{Status}")
            .Append("").Append(ApiRequest.Shown(Bytes));
        return $"{Request}\n{string.Join('\n', lines.Select(line => $"< {line}".TrimEnd()))}";
    }

    private AcceptanceException Failure(string what) => new($"{Request.Method} {Request.Path}: {what}", ToString());
}

/// <summary>Something does not hold.</summary>
/// <param name="what">In one line.</param>
/// <param name="exchange">The request and the response; empty when there was none.</param>
internal sealed class AcceptanceException(string what, string exchange = "")
    : Exception($"{what}\n{exchange}".TrimEnd())
{
    public string What { get; } = what;

    public string Exchange { get; } = exchange;
}
