using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Mvc;

namespace TaskService.Http.OpenApi;

/// <summary>Schemas of types as System.Text.Json writes them; each class becomes a component of its name.</summary>
internal sealed class OpenApiSchemas
{
    private readonly JsonObject components;
    private readonly Dictionary<Type, string> names = [];
    private readonly JsonSerializerOptions options;
    private readonly JsonSchemaExporterOptions exporter;

    /// <param name="json">Those of the endpoints.</param>
    /// <param name="components">Where named schemas are put; names in it are not used again.</param>
    public OpenApiSchemas(JsonSerializerOptions json, JsonObject components)
    {
        this.components = components;
        // Numbers are written as such; that texts are read as numbers, too, would double each schema.
        options = new JsonSerializerOptions(json) { NumberHandling = JsonNumberHandling.Strict };
        options.TypeInfoResolver ??= new DefaultJsonTypeInfoResolver();
        exporter = new() { TreatNullObliviousAsNonNullable = true, TransformSchemaNode = Transform };
    }

    /// <summary>Of a JSON body.</summary>
    public JsonObject Of(Type type) => Known(type) ?? Plain(options.GetJsonSchemaAsNode(type, exporter));

    /// <summary>Of a value in a path, a query, a header or a form, without its null.</summary>
    public JsonObject OfText(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum
            ? new JsonObject
            {
                ["type"] = "string",
                ["enum"] = new JsonArray([.. Enum.GetNames(type).Select(name => (JsonNode)name)]),
            }
            : Of(type);
    }

    public JsonNode? Value(object value) =>
        value is Enum ? value.ToString() : JsonSerializer.SerializeToNode(value, value.GetType(), options);

    /// <summary>Adds what a constraint of a route, such as <c>int</c> or <c>range(1,9)</c>, says of a value.</summary>
    public static void Constrain(JsonObject schema, string constraint)
    {
        var open = constraint.IndexOf('(', StringComparison.Ordinal);
        var name = open < 0 ? constraint : constraint[..open];
        var argument = open < 0 ? "" : constraint[(open + 1)..].TrimEnd(')');
        var limits = argument.Split(',').Select(Number).ToArray();
        (string Name, JsonNode? Value)[] members = name switch
        {
            "int" => [("type", "integer"), ("format", "int32")],
            "long" => [("type", "integer"), ("format", "int64")],
            "float" or "double" or "decimal" => [("type", "number")],
            "bool" => [("type", "boolean")],
            "guid" => [("type", "string"), ("format", "uuid")],
            "datetime" => [("type", "string"), ("format", "date-time")],
            "alpha" => [("pattern", "^[A-Za-z]*$")],
            "regex" => [("pattern", constraint[(open + 1)..^1])],
            "min" => [("type", "integer"), ("minimum", limits[0])],
            "max" => [("type", "integer"), ("maximum", limits[0])],
            "range" => [("type", "integer"), ("minimum", limits[0]), ("maximum", limits[^1])],
            "minlength" => [("minLength", limits[0])],
            "maxlength" => [("maxLength", limits[0])],
            "length" => [("minLength", limits[0]), ("maxLength", limits[^1]?.DeepClone())],
            _ => [],
        };
        foreach (var (member, value) in members)
        {
            // What the type of the handler's parameter says is more exact.
            if (member != "type" || schema["type"] is null || (string?)schema["type"] == "string")
            {
                schema[member] = value?.Parent is null ? value : value.DeepClone();
            }
        }
    }

    private static JsonNode? Number(string text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowLeadingWhite,
            CultureInfo.InvariantCulture, out var number) ? number : null;

    private JsonObject? Known(Type type)
    {
        if (type == typeof(IFormFile) || type == typeof(Stream))
        {
            return new JsonObject { ["type"] = "string", ["contentMediaType"] = "application/octet-stream" };
        }
        if (!typeof(ProblemDetails).IsAssignableFrom(type))
        {
            return null;
        }
        // A converter writes these, of which the exporter knows nothing.
        components.TryAdd(nameof(ProblemDetails), JsonNode.Parse("""
            {
              "description": "Problem details (RFC 9457) that an endpoint has written itself",
              "type": "object",
              "properties": {
                "type": { "type": "string", "format": "uri-reference" },
                "title": { "type": "string" },
                "status": { "type": "integer" },
                "detail": { "type": "string" },
                "instance": { "type": "string" },
                "errors": {
                  "type": "object",
                  "additionalProperties": { "type": "array", "items": { "type": "string" } }
                }
              }
            }
            """));
        return OpenApiComponents.Reference("schemas", nameof(ProblemDetails));
    }

    /// <summary>A schema of true is any value, for which readers of OpenAPI expect an object.</summary>
    private static JsonObject Plain(JsonNode schema) =>
        schema is JsonObject { } plain && plain["not"] is not JsonValue ? plain : [];

    private JsonObject Transform(JsonSchemaExporterContext context, JsonNode node)
    {
        var schema = Plain(node);
        var type = Nullable.GetUnderlyingType(context.TypeInfo.Type) ?? context.TypeInfo.Type;
        // A pointer to where the exporter has met the type before, which does not hold in the components.
        var isPointer = (string?)schema["$ref"] is { } to
            && !to.StartsWith("#/components/", StringComparison.Ordinal);
        var isNullable = isPointer
            ? context.PropertyInfo is { IsGetNullable: true }
            : schema["type"] is JsonArray types && types.Any(one => (string?)one == "null");
        var isNamed = context.BaseTypeInfo is null && IsNamed(type)
            && (schema["properties"] is not null || context.TypeInfo.Kind == JsonTypeInfoKind.Object);
        if (isPointer || isNamed)
        {
            schema = isPointer ? Pointed(type) : Named(type, schema);
            if (isNullable)
            {
                schema = new JsonObject
                {
                    ["anyOf"] = new JsonArray(schema, new JsonObject { ["type"] = "null" }),
                };
            }
        }
        var attributes = context.PropertyInfo?.AttributeProvider?.GetCustomAttributes(true) ?? [];
        if (attributes.OfType<DescriptionAttribute>().FirstOrDefault() is { } words)
        {
            schema["description"] = words.Description;
        }
        return schema;
    }

    /// <summary>Anonymous types have no name that says anything.</summary>
    private static bool IsNamed(Type type) => type != typeof(object) && !type.Name.StartsWith('<');

    private JsonObject Pointed(Type type)
    {
        var info = options.GetTypeInfo(type);
        return info.Kind switch
        {
            JsonTypeInfoKind.Enumerable => new JsonObject
            {
                ["type"] = "array",
                ["items"] = Pointed(info.ElementType!),
            },
            JsonTypeInfoKind.Dictionary => new JsonObject
            {
                ["type"] = "object",
                ["additionalProperties"] = Pointed(info.ElementType!),
            },
            JsonTypeInfoKind.Object when IsNamed(type) => Named(type, schema: null),
            _ => Of(type),
        };
    }

    private JsonObject Named(Type type, JsonObject? schema)
    {
        if (!names.TryGetValue(type, out var name))
        {
            var wanted = NameOf(type);
            name = wanted;
            for (var number = 2; components.ContainsKey(name) || names.ContainsValue(name); number++)
            {
                name = $"{wanted}{number}";
            }
            names[type] = name;
        }
        if (schema is not null && !components.ContainsKey(name))
        {
            schema["type"] = "object";
            components[name] = schema;
        }
        return OpenApiComponents.Reference("schemas", name);
    }

    /// <summary><c>Page&lt;Order&gt;</c> is <c>PageOfOrder</c>.</summary>
    private static string NameOf(Type type) => !type.IsGenericType
        ? type.Name
        : $"{type.Name.Split('`')[0]}Of{string.Join("And", type.GenericTypeArguments.Select(NameOf))}";
}
